-- expect: ok
-- Parses and writes a JSON document. The parser is a Lua module in the folder
-- lib beside this script.
local json = require("lib.json")

local file = assert(io.open("city.json"))
local text = file:read("a")
file:close()
local city = json.decode(text)

local streets, houses, people, metres = 0, 0, 0, 0.0
for _, street in ipairs(city.streets) do
    streets = streets + 1
    metres = metres + street.length
    for _, house in ipairs(street.houses) do
        houses = houses + 1
        people = people + #house.people
    end
end
assert(streets == city.totals.streets)
assert(houses == city.totals.houses)
assert(people == city.totals.people)
assert(math.abs(metres - city.totals.length) < 1e-6)
assert(city.name == "Wasserburg \u{2014} na\u{ef}ve \u{1F3F0}")

local again = json.encode(json.decode(json.encode(city)))
assert(again == json.encode(city), "writing and reading is the identity")
for _, bad in ipairs({"", "{", "[1,]", '{"a"}', "01", "nul", '"\\x"', "[1] 2"}) do
    assert(not pcall(json.decode, bad), bad)
end
print("json: " .. #text .. " bytes, " .. streets .. " streets, " .. houses ..
      " houses, " .. people .. " people")
