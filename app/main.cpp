// app/main.cpp: sluice(1).
#include "app/session.h"

int main(int argc, char** argv) { return sluice::run_command({argv + 1, argv + argc}); }
