-- expect: ok
-- Finds all placements of eight queens by backtracking.
local function solve(n)
    local columns, rising, falling, found = {}, {}, {}, {}
    local place = {}
    local function put(row)
        if row > n then
            found[#found + 1] = table.concat(place, " ")
            return
        end
        for column = 1, n do
            local up, down = row + column, row - column
            if not (columns[column] or rising[up] or falling[down]) then
                columns[column], rising[up], falling[down] = true, true, true
                place[row] = column
                put(row + 1)
                columns[column], rising[up], falling[down] = nil, nil, nil
            end
        end
    end
    put(1)
    return found
end

local known = {1, 0, 0, 2, 10, 4, 40, 92}
for n, count in ipairs(known) do
    assert(#solve(n) == count, "queens on a board of " .. n)
end
local found = solve(8)
print("queens: " .. #found .. " ways, the first is " .. found[1])
assert(found[1] == "1 5 8 6 3 7 2 4")
