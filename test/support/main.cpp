// The main function of every test program, compiled once: in Catch2 2.13 it brings the whole framework,
// which the tests themselves then only declare.

#define CATCH_CONFIG_RUNNER

#include "support/catch.hpp"

int main(int argc, char* argv[])
{
    return Catch::Session().run(argc, argv);
}
