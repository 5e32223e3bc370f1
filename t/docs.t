# The documents name every directive, variable, flag and source file that there
# is, and none that is not.

use strict;
use warnings;

use Test::More;

use Inlets::Test;

my $t = Inlets::Test->new();
my $top = $Inlets::Test::TOP;

sub text { $t->read_file("$top/$_[0]") }

my $readme = text('README.md');
my %directives = map { $_ => 1 }
    map { text($_) =~ /\{ ngx_string\("(inlets_\w+)"\),\s+NGX_/g }
    map { s{^\Q$top\E/}{}r } glob "$top/ngx_module/ngx_*_inlets_module.c";
my %told = map { $_ => 1 } map { split /,\s*/ }
               $readme =~ /^#### (inlets_\w+(?:, inlets_\w+)*)$/mg;

is(join(' ', sort keys %told), join(' ', sort keys %directives),
   'README: directives');

my %variables = map { $_ => 1 }
    map { text($_) =~ /\{ ngx_string\("(inlets_\w+)"\), NULL,/g }
    map { s{^\Q$top\E/}{}r } glob "$top/ngx_module/ngx_*_inlets_*.c";

%told = map { $_ => 1 } map { /`\$(inlets_\w+)`/g }
            $readme =~ /^\| `\$inlets_.*? \|/mg;
is(join(' ', sort keys %told), join(' ', sort keys %variables),
   'README: variables');

for my $command (qw(client server forward)) {
    my $help = `$Inlets::Test::BUILD/inlets $command --help 2>&1`;
    my ($section) = $readme =~ /^## The $command(?:er)?$(.*?)^## /ms;
    my @flags = grep { !/help|version/ } $help =~ /^ +(?:-\w, )?(--[a-z-]+)/mg;
    my @missing = grep { $section !~ /`[^`]*\Q$_\E\b/ } @flags;

    is(join(' ', @missing), '', "README: flags of $command");

    my @environment = $help =~ /(?:\[| or )\$(\w+)/g;
    @missing = grep { $section !~ /`$_`/ } @environment;
    is(join(' ', @missing), '', "README: environment of $command");
}

my $modules = text('ngx_module/README.md');
my @missing = grep { $modules !~ /`\Q$_\E`/ }
           map { s{.*/}{}r } glob "$top/ngx_module/*.c";
is(join(' ', @missing), '', 'ngx_module/README.md: files');

my @gone = grep { !-e "$top/ngx_module/$_" }
           $modules =~ /^\| `(\w+\.c)` \|/mg;
is(join(' ', @gone), '', 'ngx_module/README.md: and no others');

$t->finish();
