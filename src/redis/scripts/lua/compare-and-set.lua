-- Stores a value where nothing lies, or exactly what the caller expects.
-- KEYS[1]  the key
-- ARGV[1]  SHA-1 of the expected value as hex digits ('' = nothing is expected)
-- ARGV[2]  the new value
-- ARGV[3]  its time to live in milliseconds
-- Returns  '' where the new value lies there now, else the value that lies there
-- Errors   WRONGTYPE
local key, expected, value, ttl = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local current = redis.pcall('GET', key)
if type(current) == 'table' then
  -- Returned rather than raised: Redis 6.2 would hide the code of an error that is raised.
  return current
end
if current and current ~= '' then
  if current == value then
    -- It is there already: nothing is written, so nothing is replicated, but now and then its time to live.
    if redis.call('PTTL', key) < tonumber(ttl) / 2 then
      redis.call('PEXPIRE', key, ttl)
    end
    return ''
  end
  if redis.sha1hex(current) ~= expected then
    return current
  end
end
redis.call('SET', key, value, 'PX', ttl)
return ''
