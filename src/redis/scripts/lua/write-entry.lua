-- Stores an entry and tells of it, in one step.
-- KEYS[1]  the entry
-- ARGV[1]  the entry
-- ARGV[2]  time to live in milliseconds, '' = none
-- ARGV[3]  the channel to tell of the change
-- ARGV[4]  what to tell
-- Returns  1
if ARGV[2] == '' then
  redis.call('SET', KEYS[1], ARGV[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
redis.pcall('PUBLISH', ARGV[3], ARGV[4])
return 1
