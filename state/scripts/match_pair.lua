-- The tickets of a pair that was taken and is not finished.
-- KEYS: pair. ARGV: key prefix of tickets
-- Returns of each {player, ticket id, name, account, rating, stake, since}; nothing if the
-- pair is finished.
local players = redis.call('HMGET', KEYS[1], 'first', 'second')
if not players[1] then
  return {}
end
local tickets = {}
for i, player in ipairs(players) do
  local fields = redis.call('HMGET', ARGV[1] .. player,
    'id', 'name', 'account', 'rating', 'stake', 'since')
  tickets[i] = {player, unpack(fields)}
end
return tickets
