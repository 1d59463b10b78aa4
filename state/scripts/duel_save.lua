-- A duel's next state, its clock and whom it occupies, together, if nobody was faster.
-- KEYS: duel, deadlines, active, challenger's duel, opponent's duel, challenger's offer,
--       opponent's incoming, outbox
-- ARGV: duel id, version before, version, state, 'start'|'go'|'end', deadline ('' for
--       none), seconds that an ended duel is kept, '1' if something follows from its end
local id = ARGV[1]
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[2] then
  return {'stale'}
end
if ARGV[5] == 'start' then
  for seat = 4, 5 do
    if redis.call('EXISTS', KEYS[seat]) > 0 then
      return {'busy', seat - 4}
    end
  end
  redis.call('SET', KEYS[4], id)
  redis.call('SET', KEYS[5], id)
  redis.call('SADD', KEYS[3], id)
end
if ARGV[5] ~= 'go' then
  if redis.call('GET', KEYS[6]) == id then
    redis.call('DEL', KEYS[6])
  end
  redis.call('ZREM', KEYS[7], id)
end

redis.call('HSET', KEYS[1], 'version', ARGV[3], 'state', ARGV[4])
if ARGV[6] == '' then
  redis.call('ZREM', KEYS[2], id)
else
  redis.call('ZADD', KEYS[2], ARGV[6], id)
end
if ARGV[5] == 'end' then
  for seat = 4, 5 do
    if redis.call('GET', KEYS[seat]) == id then
      redis.call('DEL', KEYS[seat])
    end
  end
  redis.call('SREM', KEYS[3], id)
  if ARGV[8] == '1' then
    redis.call('ZADD', KEYS[8], now_ms(), id)  -- kept until that is done: duel_settled
  else
    redis.call('EXPIRE', KEYS[1], ARGV[7])
  end
end
return {'saved'}
