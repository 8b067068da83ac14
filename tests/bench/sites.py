"""The same site for each contestant: hosts 127.1.0.1 and on, each with services at a listener's port."""

import os

PLUGIN = "/usr/lib/nagios/plugins/check_tcp"
EACH = 10
# A site in files of this many hosts, as larger ones are kept.
PER_FILE = 100


def address(host):
    number = (127 << 24) + (1 << 16) + 1 + host
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))


def write(folder, name, text):
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def vigia_check(kind, port, web_port):
    return {
        "tcp": f"tcp:{port}",
        "http": f"{{http: {{port: {web_port}}}}}",
        "ping": "ping",
        "plugin": f'{{plugin: "{PLUGIN} -H ${{host.address}} -p {port}"}}',
    }[kind]


def vigia(folder, services, interval, kinds, port, web_port=0, settings=""):
    """By template; `kinds` are those of the services of a host."""
    checks = "".join(
        f"      s{number}: {vigia_check(kinds[number % len(kinds)], port, web_port)}\n" for number in range(EACH)
    )
    write(
        folder,
        "vigia.yaml",
        f"defaults: {{check_interval: {interval}, retry_interval: {interval}, contacts: []}}\n{settings}"
        f"templates:\n  box:\n    check: off\n    services:\n{checks}",
    )
    hosts = services // EACH
    for first in range(0, hosts, PER_FILE):
        lines = (vigia_host(host) for host in range(first, min(first + PER_FILE, hosts)))
        write(os.path.join(folder, "conf.d"), f"hosts-{first:06}.yaml", "hosts:\n" + "".join(lines))


def vigia_host(host, more=""):
    return f"  host-{host:06}: {{address: {address(host)}, use: box{more}}}\n"


def vigia_written_out(folder, services, port):
    write(folder, "vigia.yaml", "defaults: {contacts: []}\n")
    hosts = services // EACH
    for first in range(0, hosts, PER_FILE):
        lines = ["hosts:\n"]
        for host in range(first, min(first + PER_FILE, hosts)):
            lines.append(f"  host-{host:06}:\n    address: {address(host)}\n    check: off\n    services:\n")
            lines += [
                f"      s{number}:\n        tcp: {{port: {port}}}\n        check_interval: 5m\n"
                "        retry_interval: 1m\n        max_check_attempts: 3\n"
                for number in range(EACH)
            ]
        write(os.path.join(folder, "conf.d"), f"hosts-{first:06}.yaml", "".join(lines))


NAGIOS = """
log_file={d}/nagios.log
cfg_dir={d}/objects
object_cache_file={d}/objects.cache
status_file={d}/status.dat
temp_file={d}/nagios.tmp
temp_path={d}
check_result_path={d}/results
command_file={d}/nagios.cmd
query_socket={d}/nagios.qh
lock_file={d}/nagios.lock
nagios_user=root
nagios_group=root
check_external_commands={commands}
interval_length=1
use_large_installation_tweaks=1
enable_environment_macros=0
max_concurrent_checks=0
service_inter_check_delay_method={delay}
service_interleave_factor=s
max_service_check_spread=5
host_inter_check_delay_method=s
execute_host_checks=0
enable_notifications=0
enable_event_handlers=0
enable_flap_detection=0
process_performance_data=0
retain_state_information=0
status_update_interval=300
event_broker_options=0
use_syslog=0
log_passive_checks=0
log_external_commands=0
log_service_retries=0
check_for_updates=0
illegal_macro_output_chars=`~$&|'"<>
"""

NAGIOS_COMMON = """
define timeperiod {{
 timeperiod_name always
 alias always
 monday 00:00-24:00
 tuesday 00:00-24:00
 wednesday 00:00-24:00
 thursday 00:00-24:00
 friday 00:00-24:00
 saturday 00:00-24:00
 sunday 00:00-24:00
}}
define command {{
 command_name tcp
 command_line {plugin} -H $HOSTADDRESS$ -p $ARG1$
}}
define contact {{
 contact_name nobody
 host_notifications_enabled 0
 service_notifications_enabled 0
 host_notification_period always
 service_notification_period always
 host_notification_commands tcp
 service_notification_commands tcp
}}
define host {{
 name box
 register 0
 max_check_attempts 3
 check_interval 0
 active_checks_enabled 0
 check_period always
 contacts nobody
 notification_interval 0
 notification_period always
}}
define service {{
 name line
 register 0
 check_command tcp!{port}
 check_interval {interval}
 retry_interval {interval}
 max_check_attempts 3
 active_checks_enabled {active}
 check_period always
 contacts nobody
 notification_interval 0
 notification_period always
}}
define hostgroup {{
 hostgroup_name all
}}
"""


def nagios(folder, services, interval, port, delay="s", active=1, commands=0, by_template=True):
    """The main file. By template: a service of a host group stands for one on each host."""
    os.makedirs(os.path.join(folder, "results"), exist_ok=True)
    objects = [NAGIOS_COMMON.format(plugin=PLUGIN, port=port, interval=interval, active=active)]
    if by_template:
        objects += [
            f"define service {{\n use line\n hostgroup_name all\n service_description s{number}\n}}\n"
            for number in range(EACH)
        ]
    for host in range(services // EACH):
        name = f"host-{host:06}"
        objects.append(f"define host {{\n use box\n host_name {name}\n address {address(host)}\n hostgroups all\n}}\n")
        if not by_template:
            objects += [
                f"define service {{\n host_name {name}\n service_description s{number}\n check_command tcp!{port}\n"
                " check_interval 300\n retry_interval 60\n max_check_attempts 3\n check_period always\n"
                " contacts nobody\n notification_interval 0\n notification_period always\n}\n"
                for number in range(EACH)
            ]
    write(os.path.join(folder, "objects"), "all.cfg", "".join(objects))
    return write(folder, "nagios.cfg", NAGIOS.format(d=folder, delay=delay, commands=commands))


ICINGA = """
const NodeName = "bench"
const ZoneName = NodeName
const PluginDir = "/usr/lib/nagios/plugins"
const MaxConcurrentChecks = 64
object Endpoint NodeName {{ }}
object Zone ZoneName {{ endpoints = [ NodeName ] }}
object CheckerComponent "checker" {{ }}
object CheckCommand "probe" {{ command = [ "{plugin}", "-H", "$address$", "-p", "{port}" ] }}
template Service "line" {{
 check_command = "probe"
 check_interval = {interval}s
 retry_interval = {interval}s
 max_check_attempts = 3
 enable_notifications = false
 enable_event_handler = false
 enable_perfdata = false
 enable_flapping = false
}}
template Host "box" {{
 check_command = "probe"
 enable_active_checks = false
 enable_notifications = false
}}
"""


def icinga(folder, services, interval, port):
    lines = [ICINGA.format(plugin=PLUGIN, port=port, interval=interval)]
    lines += [
        f'object Host "host-{host:06}" {{ import "box"; address = "{address(host)}" }}\n'
        for host in range(services // EACH)
    ]
    lines += [
        f'apply Service "s{number}" {{ import "line"; assign where host.name }}\n' for number in range(EACH)
    ]
    return write(folder, "icinga2.conf", "".join(lines))


def blackbox(folder):
    return write(
        folder,
        "blackbox.yml",
        "modules:\n  tcp: {prober: tcp, timeout: 5s, tcp: {preferred_ip_protocol: ip4}}\n"
        "  http: {prober: http, timeout: 5s, http: {preferred_ip_protocol: ip4}}\n",
    )


def nginx(folder, port):
    return write(
        folder,
        "nginx.conf",
        f"daemon off;\npid {folder}/nginx.pid;\nworker_processes auto;\nworker_rlimit_nofile 65536;\n"
        f"error_log {folder}/nginx-error.log;\nevents {{ worker_connections 16384; }}\n"
        f"http {{\n access_log off;\n server {{\n  listen 0.0.0.0:{port} backlog=16384;\n"
        '  location / { default_type text/plain; return 200 "the page is here\\n"; }\n }\n}\n',
    )
