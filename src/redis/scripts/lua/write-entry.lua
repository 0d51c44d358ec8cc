-- Stores an entry or a plain value and publishes the change, in one step.
-- KEYS[1]  the key
-- ARGV[1]  the bytes
-- ARGV[2]  time to live in milliseconds, '' = none
-- ARGV[3]  channel to publish the change on
-- ARGV[4]  message to publish
-- Returns  1
if ARGV[2] == '' then
  redis.call('SET', KEYS[1], ARGV[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
redis.pcall('PUBLISH', ARGV[3], ARGV[4])
return 1
