-- Removes keys and counts those that were there; a placeholder was not.
-- KEYS     at most 1,000 keys, of one slot
-- ARGV[1]  '' = tell nobody, else the channel to tell of the change
-- ARGV[2]  what to tell
-- Returns  how many
local removed = 0
for _, key in ipairs(KEYS) do
  local head = redis.pcall('GETRANGE', key, 0, 42)
  local isPlaceholder = type(head) == 'string' and #head == 42 and string.byte(head, 1) == 2
  local wasThere = redis.call('UNLINK', key)
  if not isPlaceholder then
    removed = removed + wasThere
  end
end
if ARGV[1] ~= '' then
  redis.call('PUBLISH', ARGV[1], ARGV[2])
end
return removed
