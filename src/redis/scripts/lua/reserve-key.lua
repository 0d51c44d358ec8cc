-- Reserves a key: leaves a placeholder, whose token everyone gets who reserves the key. Its lease is free, so that a
-- load may take the key over. Nothing else than that token tells whether the key was touched since.
-- KEYS[1]  the entry
-- ARGV[1]  token: 15 random bytes and a zero, in place of which the script stores the count of fruitless loads
-- ARGV[2]  how long the reservation lasts, in milliseconds
-- ARGV[3]  stamp of the unusable entry that the caller judged, '' = there was none; the placeholder takes its place
-- Returns  0, which no MGET returns, so that this reply is never taken for values; status (reserved, changed, changing, foreign), the token that the key now holds
-- GETEX reads without tracking the key, so this connection gets no invalidation for its own SET.
local key, lifetime, stamp = KEYS[1], tonumber(ARGV[2]), ARGV[3]
local current = redis.pcall('GETEX', key)
if type(current) == 'table' then
  return { 0, 'foreign', '' }
end
local token = ARGV[1]
if current then
  if #current == 42 and string.byte(current, 1) == 2 then
    token = string.sub(current, 13, 28)
    if string.sub(token, 1, 4) == '\255\255\255\255' then
      return { 0, 'changing', '' }
    end
    if string.sub(token, 1, 15) ~= string.rep('\0', 15) then
      if redis.call('PTTL', key) < lifetime then
        redis.call('PEXPIRE', key, lifetime)
      end
      return { 0, 'reserved', token }
    end
    token = string.sub(ARGV[1], 1, 15) .. string.sub(token, 16)
  else
    local isEntry = string.byte(current, 1) == 1 and #current >= 50 and string.byte(current, 2) == 1
      and math.floor(string.byte(current, 8) / 2) % 4 == 3
    if (isEntry and string.sub(current, 43, 50) or redis.sha1hex(current)) ~= stamp then
      return { 0, 'changed', '' }
    end
  end
end
redis.call('SET', key, '\2\1' .. string.rep('\0', 10) .. token .. string.rep('0', 14), 'PX', lifetime)
return { 0, 'reserved', token }
