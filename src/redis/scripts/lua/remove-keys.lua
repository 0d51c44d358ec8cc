-- Removes keys and counts those that were there; a placeholder was not.
-- KEYS     at most 1,000 keys, of one slot
-- ARGV[1]  '' = tell nobody, else the channel to tell of the change
-- ARGV[2]  what to tell
-- Returns  how many
-- SETRANGE with nothing to write tells the length, and is not tracked: Redis 7.0 remembers all KEYS of a script with
-- each tracked read in it, which takes the square of their number.
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
