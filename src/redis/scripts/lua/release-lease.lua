-- Releases a lease: removes its placeholder, or clears the lease of an entry that was being refreshed.
-- KEYS[1]  the entry
-- ARGV[1]  token
-- Returns  1, or 0 if the key no longer holds the token
local key = KEYS[1]
local head = redis.pcall('GETRANGE', key, 0, 41)
if type(head) == 'table' or string.sub(head, 13, 28) ~= ARGV[1] then
  return 0
end
if string.byte(head, 1) == 2 then
  redis.call('UNLINK', key)
else
  redis.call('SETRANGE', key, 12, string.rep('\0', 30))
end
return 1
