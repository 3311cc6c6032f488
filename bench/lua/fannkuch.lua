-- Pancakes: the most flips that any permutation takes: integer arrays, short
-- loops.
--
-- SPDX-License-Identifier: MIT
local N = 9

local function flips_of(order, work)
  for i = 1, N do
    work[i] = order[i]
  end
  local flips, first = 0, work[1]
  while first ~= 1 do
    local low, high = 1, first
    while low < high do
      work[low], work[high] = work[high], work[low]
      low, high = low + 1, high - 1
    end
    flips, first = flips + 1, work[1]
  end
  return flips
end

local order, work, turns = {}, {}, {}
for i = 1, N do
  order[i], turns[i] = i, 1
end

local checksum, most, number = 0, 0, 0
while true do
  local flips = flips_of(order, work)
  if flips > most then
    most = flips
  end
  checksum = checksum + (number % 2 == 0 and flips or -flips)
  number = number + 1
  -- The next permutation: rotate longer and longer prefixes.
  local length = 2
  while length <= N do
    local first = order[1]
    for i = 1, length - 1 do
      order[i] = order[i + 1]
    end
    order[length] = first
    turns[length] = turns[length] + 1
    if turns[length] <= length then
      break
    end
    turns[length] = 1
    length = length + 1
  end
  if length > N then
    break
  end
end
print(number, checksum, most)
