# The fuzzers: what once broke something, and a few seconds of what is new.

use strict;
use warnings;

use Test::More;

use Inlets::Test;

plan skip_all => 'this is a run with sanitizers' if Inlets::Test::preload();

my $make = "make -s --no-print-directory -C '$Inlets::Test::TOP'";
my $output = `$make BUILD='$Inlets::Test::BUILD' FUZZ_SECONDS=3 fuzz 2>&1`;

is($?, 0, 'fuzzers') or diag($output);
my @names = map { m{fuzz_(\w+)\.c$} } glob "$Inlets::Test::TOP/t/fuzz/*.c";
like($output, qr/^fuzzing $_ /m, "fuzz $_") for @names;

done_testing();
