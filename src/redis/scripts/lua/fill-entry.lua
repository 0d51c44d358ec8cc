-- Stores a loaded entry if the key still holds the lease of its load.
-- KEYS[1]  the entry
-- ARGV[1]  token of the lease
-- ARGV[2]  the entry's bytes
-- ARGV[3]  time to live in milliseconds, '' = none
-- ARGV[4]  channel to publish the change on, '' = publish nothing
-- ARGV[5]  message to publish
-- Returns  1; or 0, having published nothing, if the key no longer holds the token or its lease has expired
-- GETEX reads the key without tracking it, so this connection gets no invalidation for its own SET. STRLEN at the end
-- makes the connection track the new value.
if redis.replicate_commands then
  redis.replicate_commands()
end
local key = KEYS[1]
local current = redis.pcall('GETEX', key)
if type(current) ~= 'string' or string.sub(current, 13, 28) ~= ARGV[1] then
  return 0
end
local time = redis.call('TIME')
if (tonumber(string.sub(current, 29, 42)) or 0) < time[1] * 1000 + math.floor(time[2] / 1000) then
  return 0
end
if ARGV[3] == '' then
  redis.call('SET', key, ARGV[2])
else
  redis.call('SET', key, ARGV[2], 'PX', ARGV[3])
end
if ARGV[4] ~= '' then
  redis.pcall('PUBLISH', ARGV[4], ARGV[5])
end
redis.call('STRLEN', key)
return 1
