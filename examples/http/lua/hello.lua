return "hello from " .. _VERSION .. "\n"
