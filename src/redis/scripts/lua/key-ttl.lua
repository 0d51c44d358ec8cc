-- The time to live of a key. A placeholder counts as absent.
-- KEYS[1]  the key
-- Returns  milliseconds; -1 = does not expire, -2 = absent (as PTTL)
local key = KEYS[1]
local head = redis.pcall('GETRANGE', key, 0, 42)
if type(head) == 'string' and #head == 42 and string.byte(head, 1) == 2 then
  return -2
end
return redis.call('PTTL', key)
