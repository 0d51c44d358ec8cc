-- Removes keys and counts those that existed. A placeholder counts as absent, and a hold (hold-key.lua) stays.
-- KEYS     at most 1,000 keys, of one slot
-- ARGV[1]  channel to publish the change on, '' = publish nothing
-- ARGV[2]  message to publish
-- Returns  how many existed
-- SETRANGE with an empty string returns the length without tracking the key. A tracked read would take time with the
-- square of the number of keys: for each one, Redis 7.0 tracks all KEYS of the script.
local removed = 0
for _, key in ipairs(KEYS) do
  local isPlaceholder = redis.pcall('SETRANGE', key, 0, '') == 42 and string.byte(redis.call('GETRANGE', key, 0, 0)) == 2
  if isPlaceholder and redis.call('GETRANGE', key, 12, 15) == '\255\255\255\255' then
    -- Changes nothing, but tells all who watch the key.
    redis.call('SETRANGE', key, 27, '\0')
  elseif redis.call('UNLINK', key) == 1 and not isPlaceholder then
    removed = removed + 1
  end
end
if ARGV[1] ~= '' then
  redis.pcall('PUBLISH', ARGV[1], ARGV[2])
end
return removed
