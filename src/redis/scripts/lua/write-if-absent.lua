-- Stores a value if there is no such key. A placeholder counts as absent; replacing it revokes the lease of the load in
-- progress.
-- KEYS[1]  the key
-- ARGV[1]  the bytes
-- ARGV[2]  time to live in milliseconds, '' = none
-- ARGV[3]  channel to publish the change on, '' = publish nothing
-- ARGV[4]  message to publish
-- Returns  1; or 0, having published nothing, if the key exists
local key = KEYS[1]
local head = redis.pcall('GETRANGE', key, 0, 42)
local isPlaceholder = type(head) == 'string' and #head == 42 and string.byte(head, 1) == 2
if not isPlaceholder and redis.call('EXISTS', key) == 1 then
  return 0
end
local stored
if ARGV[2] == '' then
  stored = redis.pcall('SET', key, ARGV[1])
else
  stored = redis.pcall('SET', key, ARGV[1], 'PX', ARGV[2])
end
if stored.err then
  -- Returned, not raised: Redis 6.2 hides the code of a raised error.
  return stored
end
if ARGV[3] ~= '' then
  redis.pcall('PUBLISH', ARGV[3], ARGV[4])
end
return 1
