module mnvkd/bench

go 1.19
