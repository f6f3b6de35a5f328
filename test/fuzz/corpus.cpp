// Runs a fuzz target on its samples, whole and cut short: a test where there is no libFuzzer.

#include "fuzz/target.hpp"

#include <cstdio>

int main()
{
    int runs = 0;
    for (const std::string& sample : vk::test::samples()) {
        for (std::size_t bytes = 0; bytes <= sample.size(); bytes += 1 + bytes / 100) {
            std::vector<std::uint8_t> input(sample.begin(),
                                            sample.begin() + static_cast<std::ptrdiff_t>(bytes));
            for (std::uint8_t cut : {0, 1, 7, 64, 200}) {
                input.insert(input.begin(), cut);
                LLVMFuzzerTestOneInput(input.data(), input.size());
                input.erase(input.begin());
                ++runs;
            }
        }
    }
    std::printf("%d runs\n", runs);
    return runs > 1000 ? 0 : 1;
}
