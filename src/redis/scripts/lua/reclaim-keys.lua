-- Removes keys of a namespace, by the generation of that namespace that each is bound to.
-- KEYS      at most 200 keys, of one slot
-- ARGV[1]   the key of the generation; a copy of it has a key that ends with six characters more, a hash tag
-- ARGV[2]   '1' = remove what is bound to none: counters, sets, plain values, entries of other namespaces
-- ARGV[3..] generations that were replaced; entries that are bound to one of them are removed
-- Returns   how many keys were removed (2 bytes), then the generations that entries which stay are bound to (16 bytes each)
-- Placeholders stay, since they expire with their lease.
-- SETRANGE with an empty string, and GETEX, read without tracking the key: a tracked read would take time with the square
-- of the number of keys (see remove-keys.lua), and fill the tracking table. GETEX copies the whole value, so it reads only
-- small ones.
local name = struct.pack('>I2', #ARGV[1]) .. ARGV[1]
local copyName = struct.pack('>I2', #ARGV[1] + 6) .. ARGV[1] .. '{'
local replaced = {}
for at = 3, #ARGV do
  replaced[ARGV[at]] = true
end
local doomed, stays, seen = {}, {}, {}
for _, key in ipairs(KEYS) do
  local size = redis.pcall('SETRANGE', key, 0, '')
  local isSmall = type(size) == 'number' and size <= 4096
  local head = isSmall and redis.pcall('GETEX', key) or redis.pcall('GETRANGE', key, 0, 4095)
  local generation
  if type(head) == 'string' and string.byte(head, 1) == 1 and #head >= 12 then
    local headerBytes = string.byte(head, 5) * 256 + string.byte(head, 6)
    if headerBytes > #head then
      head = redis.call('GETRANGE', key, 0, headerBytes - 1)
    end
    local header = string.sub(head, 1, headerBytes)
    local _, last = string.find(header, name, 1, true)
    if not last then
      _, last = string.find(header, copyName, 1, true)
      last = last and last + 5
    end
    generation = last and string.sub(head, last + 1, last + 16)
  end
  if generation then
    if replaced[generation] then
      doomed[#doomed + 1] = key
    elseif not seen[generation] then
      seen[generation] = true
      stays[#stays + 1] = generation
    end
  elseif ARGV[2] == '1' and not (type(head) == 'string' and #head == 42 and string.byte(head, 1) == 2) then
    doomed[#doomed + 1] = key
  end
end
local removed = #doomed > 0 and redis.call('UNLINK', unpack(doomed)) or 0
return struct.pack('>I2', removed) .. table.concat(stays)
