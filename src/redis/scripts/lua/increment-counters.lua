-- Adds to counters of one slot, in the order of the calls. Creates a missing one with its start value and its time to
-- live in the same step. What is refused leaves its counter unchanged, and the others are changed.
-- KEYS     the counters; one that is changed several times stands there as often
-- ARGV[1]  channel to publish the changes on, '' = publish nothing
-- ARGV[2]  message to publish
-- ARGV[3…] runs of counters that follow one another and are changed alike, six words for each run:
--          the number of its counters; the amount to add, decimal, 64 bits; the start value of a missing counter;
--          the time to live in milliseconds, '' = none; '1' = also renew the time to live of a counter that existed;
--          '1' = refuse a count beyond +-(2^53 - 1)
-- Returns  0, which no MGET returns, so that this reply is never taken for values; for each counter: the count, as a string beyond +-9 * 10^15; or why the change was refused, as a string that
--          begins with a code: WRONGTYPE, NOTACOUNTER, OVERFLOW …
-- Errors   of a server that refuses all changes. Then none was made: no call that follows a change may raise an error.
local pcall = redis.pcall
local replies, isChanged = {}, false
-- Keys do not expire while a script runs.
local areThere = redis.call('EXISTS', unpack(KEYS)) == #KEYS
local index = 0
for at = 3, #ARGV, 6 do
  local amount, start, ttl = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local slides, isSafeOnly = ARGV[at + 4] == '1', ARGV[at + 5] == '1'
  for _ = 1, tonumber(ARGV[at]) do
    index = index + 1
    local counter = KEYS[index]
    local isNew = not areThere and redis.call('EXISTS', counter) == 0
    local count = not isNew and pcall('INCRBY', counter, amount)
    if type(count) == 'table' and string.find(count.err, 'ERR', 1, true) == 1 then
      local head = pcall('GETRANGE', counter, 0, 42)
      if type(head) == 'string' and #head == 42 and string.byte(head, 1) == 2 then
        -- A placeholder counts as absent. Removing it revokes the lease of the load in progress.
        isNew, areThere = pcall('UNLINK', counter) == 1, false
      end
    end
    if isNew then
      if ttl == '' then
        count = pcall('SET', counter, start)
      else
        count = pcall('SET', counter, start, 'PX', ttl)
      end
      -- Without the counter, INCRBY would create one that never expires.
      if not count.err then
        count = pcall('INCRBY', counter, amount)
      end
    end
    local refusal
    if type(count) == 'table' then
      refusal = count.err
      if string.find(refusal, 'ERR', 1, true) == 1 then
        -- Adding 0 succeeds only if the key holds a counter: then the amount was too large.
        if type(pcall('INCRBY', counter, '0')) == 'table' then
          refusal = 'NOTACOUNTER the key holds something that is not a 64-bit decimal integer'
        else
          refusal = 'OVERFLOW the counter would leave 64 bits'
        end
      elseif not isChanged and string.find(refusal, 'WRONGTYPE', 1, true) ~= 1 then
        -- The server refuses all changes: OOM, READONLY, NOPERM …
        return count
      end
      if isNew then
        pcall('DEL', counter)
      end
    elseif count > 9e15 or count < -9e15 then
      if not isSafeOnly or (count <= 9007199254740991 and count >= -9007199254740991) then
        -- A Lua number holds 53 bits, and clients do not read all integers of 53 bits right.
        count = pcall('GET', counter)
        refusal = type(count) == 'table' and count.err
      else
        refusal = 'OVERFLOW the counter would pass 2^53 - 1'
        if isNew then
          pcall('DEL', counter)
        else
          pcall('DECRBY', counter, amount)
        end
      end
    end
    if not refusal then
      isChanged = true
      if slides and not isNew then
        local renewed
        if ttl == '' then
          renewed = pcall('PERSIST', counter)
        else
          renewed = pcall('PEXPIRE', counter, ttl)
        end
        refusal = type(renewed) == 'table' and renewed.err
      end
    end
    replies[index] = refusal or count
  end
end
if isChanged and ARGV[1] ~= '' then
  pcall('PUBLISH', ARGV[1], ARGV[2])
end
table.insert(replies, 1, 0)
return replies
