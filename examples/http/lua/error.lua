local function fail()
  error("a mistake")
end

fail()
