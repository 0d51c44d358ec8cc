-- Removes a member from a set and publishes the change, in one step.
-- KEYS[1]  the set
-- ARGV[1]  the member
-- ARGV[2]  channel to publish the change on
-- ARGV[3]  message to publish
-- Returns  1 if the member was there, else 0
-- Errors   WRONGTYPE
local removed = redis.pcall('SREM', KEYS[1], ARGV[1])
if type(removed) == 'table' then
  -- Returned, not raised: Redis 6.2 hides the code of a raised error.
  return removed
end
redis.pcall('PUBLISH', ARGV[2], ARGV[3])
return removed
