-- Sets a new generation: every entry that bears the old one is invalid from now on.
-- KEYS[1]  the generation
-- ARGV[1]  8 random bytes
-- ARGV[2]  time to live in milliseconds
-- ARGV[3]  '' = tell nobody, else the channel to tell of the change
-- ARGV[4]  what to tell
-- Returns  the new generation, as capture-generation does
if redis.replicate_commands then
  redis.replicate_commands()
end
local time = redis.call('TIME')
local generation = struct.pack('>I4I4', time[1], time[2]) .. ARGV[1]
redis.call('SET', KEYS[1], generation, 'PX', ARGV[2])
if ARGV[3] ~= '' then
  redis.pcall('PUBLISH', ARGV[3], ARGV[4])
end
return generation
