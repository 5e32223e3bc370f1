# The sources: no warnings of gcc, clang and cppcheck, and the rules of .ci/lint.

use strict;
use warnings;

use Test::More;

use Inlets::Test;

my $build = $Inlets::Test::BUILD;
my $configured = "$build/nginx/objs/Makefile";

plan skip_all => 'this is a run with sanitizers' if Inlets::Test::preload();
plan skip_all => 'no configured nginx: make' if !-e $configured;

# the nginx stays the one that the modules were built for

my $make = "make -s --no-print-directory -C '$Inlets::Test::TOP'";
my $output = `$make BUILD='$build' -o '$configured' lint 2>&1`;

is($?, 0, 'lint') or diag($output);

done_testing();
