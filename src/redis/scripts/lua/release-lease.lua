-- Releases a lease: removes its placeholder, or clears the lease of an entry that was being refreshed.
-- KEYS[1]  the entry
-- ARGV[1]  token; its last byte may differ, since whoever gives back a lease whose grant was lost does not know it
-- ARGV[2]  how long to remember that the load has brought no value, in milliseconds, '' = do not. The key then holds a
--          lease of nobody, whose token counts such loads in its last byte: 1 to 255, then 1 again.
-- ARGV[3]  how long nobody is to load an entry again, in milliseconds, 0 = at once: the deadline of that lease
-- Returns  1, or 0 if the key no longer holds the token
if redis.replicate_commands then
  redis.replicate_commands()
end
local key, pause = KEYS[1], tonumber(ARGV[3])
local head = redis.pcall('GETRANGE', key, 0, 41)
if type(head) == 'table' or #head < 42 or string.sub(head, 13, 27) ~= string.sub(ARGV[1], 1, 15) then
  return 0
end
local fruitless = 0
if ARGV[2] ~= '' then
  fruitless = string.byte(head, 28) % 255 + 1
end
local nobody = string.rep('\0', 15) .. string.char(fruitless)
local free = nobody .. string.rep('\0', 14)
if string.byte(head, 1) ~= 2 then
  if fruitless > 0 and pause > 0 then
    local time = redis.call('TIME')
    free = nobody .. string.format('%014.0f', time[1] * 1000 + math.floor(time[2] / 1000) + pause)
  end
  redis.call('SETRANGE', key, 12, free)
elseif fruitless > 0 then
  redis.call('SET', key, string.sub(head, 1, 12) .. free, 'PX', ARGV[2])
else
  redis.call('UNLINK', key)
end
return 1
