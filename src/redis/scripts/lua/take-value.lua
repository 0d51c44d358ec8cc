-- Reads a string and removes it. A placeholder counts as absent, and so does a key of another type; both stay.
-- KEYS[1]  the key
-- ARGV[1]  channel to publish the change on, '' = publish nothing
-- ARGV[2]  message to publish
-- Returns  its bytes; or null, having published nothing, if there is none
local key = KEYS[1]
local bytes = redis.pcall('GET', key)
if type(bytes) ~= 'string' or (#bytes == 42 and string.byte(bytes, 1) == 2) then
  return false
end
local removed = redis.pcall('UNLINK', key)
if type(removed) == 'table' then
  -- Returned, not raised: Redis 6.2 hides the code of a raised error.
  return removed
end
if ARGV[1] ~= '' then
  redis.pcall('PUBLISH', ARGV[1], ARGV[2])
end
return bytes
