# A site with Mail::DMARC: the messages it judges, a report that it receives, and the reports it would send.
# Its settings are in the file that MAIL_DMARC_CONFIG_FILE names.
#
#   site.pl judge DAY FROM TO  judges so many messages, by their numbers, on this day after the first
#   site.pl receive            takes in a report of somebody else
#   site.pl damage SQL         changes its tables as nobody should
#   site.pl report DIRECTORY   writes each report that it would send into a file

use strict;
use warnings;

use Mail::DMARC;
use Mail::DMARC::Report;
use Mail::DMARC::Report::Aggregate;
use Mail::DMARC::Report::Aggregate::Record;

# 2026-06-01T00:00:00Z
my $FIRST_DAY = 1_780_272_000;

my %POLICIES = (
    'example.com' => 'v=DMARC1; p=reject; sp=quarantine; adkim=s; rua=mailto:dmarc@example.com',
    'example.net' => 'v=DMARC1; p=none; rua=mailto:a@example.net!10m,mailto:b@example.net',
    'example.org' => 'v=DMARC1; p=quarantine; aspf=s; pct=50; rua=mailto:dmarc@example.org',
);
my @CLIENTS = ('192.0.2.7', '198.51.100.66', '203.0.113.255', '2001:db8::7');

my ($command, @arguments) = @ARGV;

# Its tables are made by whoever connects first.
my $report = Mail::DMARC::Report->new;
$report->store->backend->db_connect;

if    ($command eq 'judge')   { judge($arguments[0], $_) for $arguments[1] .. $arguments[2] }
elsif ($command eq 'receive') { receive() }
elsif ($command eq 'damage')  { $report->store->backend->dbix->dbh->do($arguments[0]) or die }
elsif ($command eq 'report')  { report($arguments[0]) }
else                          { die "unknown command: $command\n" }

sub judge {
    my ($day, $number) = @_;

    Mail::DMARC::Base->set_fake_time($FIRST_DAY + $day * 86_400 + $number);
    my @domains = sort keys %POLICIES;
    my $domain  = $domains[$number % 3];
    my $author  = $number % 5 ? $domain : "news.$domain";
    my ($dkim, $spf) = (($number % 4 ? 'fail' : 'pass'), ($number % 7 ? 'fail' : 'pass'));

    my $dmarc = Mail::DMARC->new(
        source_ip   => $CLIENTS[$number % 4],
        envelope_to => 'example.org',
        header_from => $author,
        $number % 11 ? (envelope_from => 'bounces.example.net') : (),
    );
    $dmarc->dkim([
        {domain => $domain, selector => 's1', result => $dkim},
        $number % 3 ? () : {domain => 'list.example.net', selector => 'k2', result => 'pass'},
    ]);
    $dmarc->spf([
        {domain => 'bounces.example.net', scope => 'mfrom', result => $spf eq 'pass' ? 'pass' : 'softfail'},
    ]);
    my $result = $dmarc->result;
    $result->published(Mail::DMARC::Policy->new("domain=$domain; $POLICIES{$domain}"));
    my $passes = $dkim eq 'pass' || $spf eq 'pass';
    $result->dkim($dkim);
    $result->spf($spf);
    $result->result($passes ? 'pass' : 'fail');
    $result->disposition($passes || $domain eq 'example.net' ? 'none' : $domain eq 'example.com' ? 'reject' : 'quarantine');
    if (!$passes && $number % 13 == 0) {
        $result->disposition('none');
        $result->reason(type => 'mailing_list', comment => "list <$number>");
    }
    $dmarc->save_aggregate;
    return;
}

sub receive {
    my $aggregate = Mail::DMARC::Report::Aggregate->new;
    my $metadata  = $aggregate->metadata;
    $metadata->org_name('Somebody Else');
    $metadata->email('reports@example.net');
    $metadata->report_id('their-report-1');
    $metadata->uuid('their-report-1');
    $metadata->begin($FIRST_DAY);
    $metadata->end($FIRST_DAY + 86_399);
    $aggregate->policy_published(Mail::DMARC::Policy->new("domain=example.org; $POLICIES{'example.org'}"));
    $aggregate->record(
        Mail::DMARC::Report::Aggregate::Record->new(
            identifiers  => {header_from => 'example.org'},
            auth_results => {dkim => [], spf => [{domain => 'example.org', scope => 'mfrom', result => 'pass'}]},
            row          => {
                source_ip        => '192.0.2.1',
                count            => 1000,
                policy_evaluated => {disposition => 'none', dkim => 'fail', spf => 'pass'},
            },
        )
    );
    $report->store->backend->save_aggregate($aggregate);
    return;
}

sub report {
    my ($directory) = @_;

    Mail::DMARC::Base->set_fake_time($FIRST_DAY + 3 * 86_400);
    my $number = 0;
    while (my $aggregate = $report->store->next_todo) {
        $number++;
        open my $file, '>:encoding(UTF-8)', "$directory/$number.xml" or die "$number.xml: $!\n";
        print {$file} $aggregate->as_xml or die "$number.xml: $!\n";
        close $file or die "$number.xml: $!\n";
    }
    return;
}
