-- Removes keys that do not hold the current generation of their namespace: older entries, counters, sets, plain values.
-- KEYS     at most 50 keys, of one slot; the time grows with the square of their number, see remove-keys.lua
-- ARGV[1]  the current generation, 16 bytes
-- Returns  how many were removed; placeholders stay, since they expire with their lease
local removed = 0
for _, key in ipairs(KEYS) do
  local head = redis.pcall('GETRANGE', key, 0, 5)
  local keep = type(head) == 'string' and string.byte(head, 1) == 2
  if type(head) == 'string' and string.byte(head, 1) == 1 and #head == 6 then
    local headerBytes = string.byte(head, 5) * 256 + string.byte(head, 6)
    keep = string.find(redis.call('GETRANGE', key, 0, headerBytes - 1), ARGV[1], 1, true) ~= nil
  end
  if not keep then
    removed = removed + redis.call('UNLINK', key)
  end
end
return removed
