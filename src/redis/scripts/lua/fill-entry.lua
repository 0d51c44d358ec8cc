-- Stores a loaded entry if the key still bears the token of its load.
-- KEYS[1]  the entry
-- ARGV[1]  token
-- ARGV[2]  the entry
-- ARGV[3]  time to live in milliseconds, '' = none
-- ARGV[4]  '' = tell nobody, else the channel to tell of the change
-- ARGV[5]  what to tell
-- Returns  1, or 0 where the key no longer bears the token, or its lease has run out
-- GETEX reads without being tracked, so that this connection is not told of its own SET; STRLEN then has the key tracked.
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
