-- Stores a value if the key is empty or holds exactly the expected value.
-- KEYS[1]  the key
-- ARGV[1]  SHA-1 of the expected value as hex digits, '' = none is expected
-- ARGV[2]  the new value
-- ARGV[3]  its time to live in milliseconds
-- Returns  '' if the key holds the new value now, else the value that it holds
-- Errors   WRONGTYPE
local key, expected, value, ttl = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local current = redis.pcall('GET', key)
if type(current) == 'table' then
  -- Returned, not raised: Redis 6.2 hides the code of a raised error.
  return current
end
if current and current ~= '' then
  if current == value then
    -- The value is stored already. Nothing is written, so nothing is replicated, unless its time to live is due.
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
