-- Tells which of some keys exist. A placeholder counts as absent.
-- KEYS     at most 1,000 keys, of one slot
-- Returns  a string that has '1' for each key that exists and '0' for each other one, in their order
-- SETRANGE with an empty string returns the length without tracking the key (see remove-keys.lua). A server that takes no
-- writes at present refuses it; then the key is read.
local present = {}
for index, key in ipairs(KEYS) do
  local size = redis.pcall('SETRANGE', key, 0, '')
  local isRefused = type(size) == 'table' and not string.find(size.err, 'WRONGTYPE', 1, true)
  local isThere = true
  if isRefused or size == 0 or size == 42 then
    local head = size ~= 0 and redis.pcall('GETRANGE', key, 0, 42)
    local isPlaceholder = type(head) == 'string' and #head == 42 and string.byte(head, 1) == 2
    isThere = not isPlaceholder and redis.call('EXISTS', key) == 1
  end
  present[index] = isThere and '1' or '0'
end
return table.concat(present)
