-- Adds members to a set, and sets its time to live in the same step.
-- KEYS[1]  the set
-- ARGV[1]  time to live in milliseconds, '' = none
-- ARGV[2]  '1' = also renew the time to live of a set that existed
-- ARGV[3]  channel to publish the change on, '' = publish nothing
-- ARGV[4]  message to publish
-- ARGV[5..] the members, at most 1,000
-- Returns  how many members were new
-- Errors   WRONGTYPE
local set, ttl = KEYS[1], ARGV[1]
local head = redis.pcall('GETRANGE', set, 0, 42)
if type(head) == 'string' and #head == 42 and string.byte(head, 1) == 2 then
  -- A placeholder counts as absent. Removing it revokes the lease of the load in progress.
  redis.call('UNLINK', set)
end
local created = redis.call('EXISTS', set) == 0
local added = redis.pcall('SADD', set, unpack(ARGV, 5))
if type(added) == 'table' then
  -- Returned, not raised: Redis 6.2 hides the code of a raised error.
  return added
end
if ttl ~= '' and (created or ARGV[2] == '1') then
  redis.call('PEXPIRE', set, ttl)
end
if ttl == '' and not created and ARGV[2] == '1' then
  redis.call('PERSIST', set)
end
if ARGV[3] ~= '' then
  redis.pcall('PUBLISH', ARGV[3], ARGV[4])
end
return added
