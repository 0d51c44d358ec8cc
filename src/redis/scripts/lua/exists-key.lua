-- Whether a key exists. A placeholder counts as absent.
-- KEYS[1]  the key
-- Returns  1 or 0
local key = KEYS[1]
local head = redis.pcall('GETRANGE', key, 0, 42)
if type(head) == 'string' and #head == 42 and string.byte(head, 1) == 2 then
  return 0
end
return redis.call('EXISTS', key)
