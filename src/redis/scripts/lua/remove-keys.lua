-- Removes keys and counts those that existed. A placeholder counts as absent.
-- KEYS     at most 1,000 keys, of one slot
-- ARGV[1]  channel to publish the change on, '' = publish nothing
-- ARGV[2]  message to publish
-- Returns  how many existed
-- SETRANGE with an empty string returns the length without tracking the key. A tracked read would take time with the
-- square of the number of keys: for each one, Redis 7.0 tracks all KEYS of the script.
local removed = 0
for _, key in ipairs(KEYS) do
  local isPlaceholder = redis.pcall('SETRANGE', key, 0, '') == 42 and string.byte(redis.call('GETRANGE', key, 0, 0)) == 2
  local wasThere = redis.call('UNLINK', key)
  if not isPlaceholder then
    removed = removed + wasThere
  end
end
if ARGV[1] ~= '' then
  redis.pcall('PUBLISH', ARGV[1], ARGV[2])
end
return removed
