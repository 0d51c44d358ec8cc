-- Gives a key another time to live. A placeholder counts as absent, and keeps its own.
-- KEYS[1]  the key
-- ARGV[1]  time to live in milliseconds, '' = none: the key stays for ever
-- ARGV[2]  channel to publish the change on, '' = publish nothing
-- ARGV[3]  message to publish
-- Returns  1; or 0, having published nothing, if there is no such key
local key, ttl = KEYS[1], ARGV[1]
local head = redis.pcall('GETRANGE', key, 0, 42)
if type(head) == 'string' and #head == 42 and string.byte(head, 1) == 2 then
  return 0
end
if redis.call('EXISTS', key) == 0 then
  return 0
end
local changed = ttl == '' and redis.pcall('PERSIST', key) or redis.pcall('PEXPIRE', key, ttl)
if type(changed) == 'table' then
  -- Returned, not raised: Redis 6.2 hides the code of a raised error.
  return changed
end
if ARGV[2] ~= '' then
  redis.pcall('PUBLISH', ARGV[2], ARGV[3])
end
return 1
