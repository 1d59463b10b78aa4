-- KEYS: player, nodes. Returns {sockets, sequence, the latest beat of a node that holds
-- one, when he last came or went}.
local sockets, seq, alive, seen = 0, 0, 0, 0
local record = redis.call('HGETALL', KEYS[1])
for i = 1, #record, 2 do
  local field, value = record[i], record[i + 1]
  if field == 'sockets' then
    sockets = tonumber(value)
  elseif field == 'seq' then
    seq = tonumber(value)
  elseif field == 'seen' then
    seen = tonumber(value)
  elseif string.sub(field, 1, 2) == 's:' then
    alive = math.max(alive, tonumber(redis.call('ZSCORE', KEYS[2], value) or '0'))
  end
end
return {sockets, seq, alive, seen}
