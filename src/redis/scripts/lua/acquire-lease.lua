-- Acquires the lease of a key. The lease is stored in the key's value, so removing or overwriting the key revokes it.
-- KEYS[1]  the entry
-- ARGV[1]  token: 15 random bytes and a zero, in place of which the script stores that number
-- ARGV[2]  duration of the lease in milliseconds
-- ARGV[3]  longest duration that any process uses, in milliseconds; a deadline further off stems from another clock;
--          0 = take the lease over from whoever holds it
-- ARGV[4]  stamp of the entry that the caller judged, '' = there was none; the lease is refused if it has changed
-- ARGV[5]  'replace' = that entry is unusable, make it a placeholder; 'refresh' = lease it and keep it readable
-- ARGV[6]  '1' = a lease of nobody is a pause after a failed load, and the caller heeds it; '0' = take it over
-- Returns  0, which no MGET returns, so that this reply is never taken for values; status (acquired, held, paused, changed, changing, foreign), server time in ms, remaining ms of another holder's
--          lease or of the pause, number of loads in a row that have brought no value: the last byte of the token that the
--          key now holds; if it is paused, the whole length of the pause in ms instead, 0 = unknown
if redis.replicate_commands then
  redis.replicate_commands()
end
local key, token, lease = KEYS[1], ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local clock = string.format('%.0f', now)
local head = redis.pcall('GETRANGE', key, 0, 49)
if type(head) == 'table' then
  return { 0, 'foreign', clock, '0', '0' }
end
local first = string.byte(head, 1)
local isPlaceholder = first == 2 and #head == 42
local isEntry = first == 1 and #head == 50 and string.byte(head, 2) == 1 and math.floor(string.byte(head, 8) / 2) % 4 == 3
local remaining, fruitless = 0, 0
if isPlaceholder and string.sub(head, 13, 16) == '\255\255\255\255' then
  return { 0, 'changing', clock, '0', '0' }
end
if isPlaceholder or isEntry then
  fruitless = string.byte(head, 28)
  remaining = (tonumber(string.sub(head, 29, 42)) or 0) - now
  if remaining > tonumber(ARGV[3]) then
    remaining = 0
  end
end
local held, last = 'held', tostring(fruitless)
if string.sub(head, 13, 27) == string.rep('\0', 15) then
  held, last = 'paused', string.format('%.0f', isPlaceholder and tonumber(string.sub(head, 3, 12)) or 0)
  if ARGV[6] ~= '1' then
    remaining = 0
  end
end
local granted = string.sub(token, 1, 15) .. string.char(fruitless) .. string.format('%014.0f', now + lease)
if isPlaceholder and remaining > 0 and (held == 'held' or ARGV[4] == '') then
  return { 0, held, clock, string.format('%.0f', remaining), last }
end
if isPlaceholder or redis.call('EXISTS', key) == 0 then
  if ARGV[4] ~= '' then
    return { 0, 'changed', clock, '0', '0' }
  end
else
  local stamp = isEntry and string.sub(head, 43, 50) or redis.sha1hex(redis.call('GET', key))
  if stamp ~= ARGV[4] then
    return { 0, 'changed', clock, '0', '0' }
  end
  if ARGV[5] == 'refresh' and isEntry then
    if remaining > 0 then
      return { 0, held, clock, string.format('%.0f', remaining), last }
    end
    redis.call('SETRANGE', key, 12, granted)
    return { 0, 'acquired', clock, '0', tostring(fruitless) }
  end
end
redis.call('SET', key, '\2\1' .. string.rep('\0', 10) .. granted, 'PX', lease)
return { 0, 'acquired', clock, '0', tostring(fruitless) }
