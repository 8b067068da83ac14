//! Nagios macros: the table of names, and the expander for command lines (`nagios-interfaces.md` 3).
//!
//! Two kinds of value are kept apart. What the *configuration* says (`$HOSTADDRESS$`, `$USER1$`, `$ARG1$`) is put in
//! here, before the line is split into words ([`super::words`]), as in Nagios. What comes from *outside* (output,
//! comment, author, states) stays an [`Piece::Outside`] until the command runs; it is filled in after the split and
//! so is never more than a part of one argument.

use std::borrow::Cow;

/// What a macro tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    Host,
    Service,
    Contact,
    HostGroup,
    ServiceGroup,
    ContactGroup,
    Notification,
    Time,
    Totals,
    Files,
    /// `$ARGn$` of the call, `$USERn$` of the settings.
    Command,
}

/// When the value of a macro is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It stands in the configuration.
    AtLoad,
    /// It comes from outside, or changes while vigia runs.
    AtRun,
}

/// Macros of one subject that are known at the same time.
#[derive(Debug)]
pub struct Family {
    pub of: Of,
    pub known: Known,
    pub names: &'static [&'static str],
}

/// Every macro with a fixed name. `ARGn`, `USERn`, `CONTACTADDRESSn` and custom variables come beside it, see
/// [`classify`].
#[rustfmt::skip]
pub const FAMILIES: &[Family] = &[
    Family { of: Of::Host, known: Known::AtLoad, names: &[
        "HOSTNAME", "HOSTDISPLAYNAME", "HOSTALIAS", "HOSTADDRESS", "MAXHOSTATTEMPTS", "HOSTGROUPNAME",
        "HOSTGROUPNAMES", "HOSTCHECKCOMMAND", "HOSTACTIONURL", "HOSTNOTESURL", "HOSTNOTES",
        "HOSTNOTIFICATIONPERIOD", "HOSTIMPORTANCE", "HOSTANDSERVICESIMPORTANCE", "TOTALHOSTSERVICES",
    ] },
    Family { of: Of::Host, known: Known::AtRun, names: &[
        "HOSTSTATE", "HOSTSTATEID", "LASTHOSTSTATE", "LASTHOSTSTATEID", "HOSTSTATETYPE", "HOSTATTEMPT",
        "HOSTEVENTID", "LASTHOSTEVENTID", "HOSTPROBLEMID", "LASTHOSTPROBLEMID", "HOSTLATENCY",
        "HOSTEXECUTIONTIME", "HOSTDURATION", "HOSTDURATIONSEC", "HOSTDOWNTIME", "HOSTPERCENTCHANGE",
        "LASTHOSTCHECK", "LASTHOSTSTATECHANGE", "LASTHOSTUP", "LASTHOSTDOWN", "LASTHOSTUNREACHABLE",
        "HOSTOUTPUT", "LONGHOSTOUTPUT", "HOSTPERFDATA", "HOSTCHECKTYPE", "HOSTCHECKSOURCE", "HOSTINFOURL",
        "HOSTACKAUTHOR", "HOSTACKAUTHORNAME", "HOSTACKAUTHORALIAS", "HOSTACKCOMMENT",
        "HOSTNOTIFICATIONNUMBER", "HOSTNOTIFICATIONID", "HOSTNOTIFICATIONENABLED",
        "TOTALHOSTSERVICESOK", "TOTALHOSTSERVICESWARNING", "TOTALHOSTSERVICESUNKNOWN",
        "TOTALHOSTSERVICESCRITICAL",
    ] },
    Family { of: Of::Service, known: Known::AtLoad, names: &[
        "SERVICEDESC", "SERVICEDISPLAYNAME", "MAXSERVICEATTEMPTS", "SERVICEISVOLATILE", "SERVICEGROUPNAME",
        "SERVICEGROUPNAMES", "SERVICECHECKCOMMAND", "SERVICEACTIONURL", "SERVICENOTESURL", "SERVICENOTES",
        "SERVICENOTIFICATIONPERIOD", "SERVICEIMPORTANCE",
    ] },
    Family { of: Of::Service, known: Known::AtRun, names: &[
        "SERVICESTATE", "SERVICESTATEID", "LASTSERVICESTATE", "LASTSERVICESTATEID", "SERVICESTATETYPE",
        "SERVICEATTEMPT", "SERVICEEVENTID", "LASTSERVICEEVENTID", "SERVICEPROBLEMID", "LASTSERVICEPROBLEMID",
        "SERVICELATENCY", "SERVICEEXECUTIONTIME", "SERVICEDURATION", "SERVICEDURATIONSEC", "SERVICEDOWNTIME",
        "SERVICEPERCENTCHANGE", "LASTSERVICECHECK", "LASTSERVICESTATECHANGE", "LASTSERVICEOK",
        "LASTSERVICEWARNING", "LASTSERVICEUNKNOWN", "LASTSERVICECRITICAL", "SERVICEOUTPUT",
        "LONGSERVICEOUTPUT", "SERVICEPERFDATA", "SERVICECHECKTYPE", "SERVICECHECKSOURCE", "SERVICEINFOURL",
        "SERVICEACKAUTHOR", "SERVICEACKAUTHORNAME", "SERVICEACKAUTHORALIAS", "SERVICEACKCOMMENT",
        "SERVICENOTIFICATIONNUMBER", "SERVICENOTIFICATIONID", "SERVICENOTIFICATIONENABLED",
    ] },
    Family { of: Of::HostGroup, known: Known::AtLoad, names: &[
        "HOSTGROUPALIAS", "HOSTGROUPMEMBERS", "HOSTGROUPMEMBERADDRESSES", "HOSTGROUPNOTES",
        "HOSTGROUPNOTESURL", "HOSTGROUPACTIONURL",
    ] },
    Family { of: Of::ServiceGroup, known: Known::AtLoad, names: &[
        "SERVICEGROUPALIAS", "SERVICEGROUPMEMBERS", "SERVICEGROUPNOTES", "SERVICEGROUPNOTESURL",
        "SERVICEGROUPACTIONURL",
    ] },
    // Who is told is decided when something has happened.
    Family { of: Of::Contact, known: Known::AtRun, names: &[
        "CONTACTNAME", "CONTACTALIAS", "CONTACTEMAIL", "CONTACTPAGER",
    ] },
    Family { of: Of::ContactGroup, known: Known::AtRun, names: &[
        "CONTACTGROUPNAME", "CONTACTGROUPNAMES", "CONTACTGROUPALIAS", "CONTACTGROUPMEMBERS",
    ] },
    Family { of: Of::Notification, known: Known::AtRun, names: &[
        "NOTIFICATIONTYPE", "NOTIFICATIONRECIPIENTS", "NOTIFICATIONISESCALATED", "NOTIFICATIONAUTHOR",
        "NOTIFICATIONAUTHORNAME", "NOTIFICATIONAUTHORALIAS", "NOTIFICATIONCOMMENT", "NOTIFICATIONNUMBER",
        "NOTIFICATIONID",
    ] },
    Family { of: Of::Time, known: Known::AtRun, names: &[
        "LONGDATETIME", "SHORTDATETIME", "DATE", "TIME", "TIMET", "PROCESSSTARTTIME", "EVENTSTARTTIME",
        "ISVALIDTIME", "NEXTVALIDTIME",
    ] },
    Family { of: Of::Totals, known: Known::AtRun, names: &[
        "TOTALHOSTSUP", "TOTALHOSTSDOWN", "TOTALHOSTSUNREACHABLE", "TOTALHOSTSDOWNUNHANDLED",
        "TOTALHOSTSUNREACHABLEUNHANDLED", "TOTALHOSTPROBLEMS", "TOTALHOSTPROBLEMSUNHANDLED",
        "TOTALSERVICESOK", "TOTALSERVICESWARNING", "TOTALSERVICESCRITICAL", "TOTALSERVICESUNKNOWN",
        "TOTALSERVICESWARNINGUNHANDLED", "TOTALSERVICESCRITICALUNHANDLED", "TOTALSERVICESUNKNOWNUNHANDLED",
        "TOTALSERVICEPROBLEMS", "TOTALSERVICEPROBLEMSUNHANDLED",
    ] },
    Family { of: Of::Files, known: Known::AtLoad, names: &[
        "MAINCONFIGFILE", "STATUSDATAFILE", "RETENTIONDATAFILE", "OBJECTCACHEFILE", "TEMPFILE", "TEMPPATH",
        "LOGFILE", "RESOURCEFILE", "COMMANDFILE", "HOSTPERFDATAFILE", "SERVICEPERFDATAFILE", "ADMINEMAIL",
        "ADMINPAGER",
    ] },
];

const ARGS: u16 = 32;
const USERS: u16 = 256;
const CONTACT_ADDRESSES: u16 = 6;

/// Says of a name what it tells of and when that is known; none for a name that is no macro.
pub fn classify(name: &str) -> Option<(Of, Known)> {
    let numbered = |prefix: &str, most: u16| {
        number_after(name, prefix).is_some_and(|number| (1..=most).contains(&number))
    };
    if numbered("ARG", ARGS) || numbered("USER", USERS) {
        return Some((Of::Command, Known::AtLoad));
    }
    if numbered("CONTACTADDRESS", CONTACT_ADDRESSES) {
        return Some((Of::Contact, Known::AtRun));
    }
    let custom = [("_HOST", Of::Host), ("_SERVICE", Of::Service), ("_CONTACT", Of::Contact)];
    for (prefix, of) in custom {
        if name.strip_prefix(prefix).is_some_and(|key| !key.is_empty()) {
            let known = if of == Of::Contact { Known::AtRun } else { Known::AtLoad };
            return Some((of, known));
        }
    }
    let family = FAMILIES.iter().find(|family| family.names.contains(&name))?;
    Some((family.of, family.known))
}

/// The `n` of `$ARGn$`.
pub fn argument_number(name: &str) -> Option<usize> {
    number_after(name, "ARG").map(usize::from)
}

fn number_after(name: &str, prefix: &str) -> Option<u16> {
    let digits = name.strip_prefix(prefix)?;
    if digits.starts_with('0') || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// A macro as it stands in a text: `$HOSTSTATE$`, or on demand, `$HOSTSTATE:web1$`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference<'a> {
    pub name: &'a str,
    /// What follows the first colon: `web1`, `web1:HTTP`, `group:,`.
    pub subject: Option<&'a str>,
}

impl<'a> Reference<'a> {
    /// Reads what stands between the dollars.
    pub fn parse(inner: &'a str) -> Self {
        match inner.split_once(':') {
            Some((name, subject)) => Self { name, subject: Some(subject) },
            None => Self { name: inner, subject: None },
        }
    }
}

/// A part of a text whose configuration values are in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    /// What stood between the dollars of a macro whose value comes from outside.
    Outside(Box<str>),
}

/// A text whose values from the configuration are in and whose values from outside are still to come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

impl Template {
    pub fn text(text: impl Into<String>) -> Self {
        let mut template = Self::default();
        template.push_str(&text.into());
        template
    }

    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The whole text when nothing from outside is missing in it.
    pub fn as_text(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            [Piece::Outside(_)] | [_, _, ..] => None,
        }
    }

    /// The macros whose values come from outside.
    pub fn outside(&self) -> impl Iterator<Item = Reference<'_>> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Outside(inner) => Some(Reference::parse(inner)),
            Piece::Text(_) => None,
        })
    }

    /// Puts in the values from outside. They are not read for macros again.
    pub fn fill(&self, mut value: impl FnMut(Reference<'_>) -> String) -> String {
        self.pieces.iter().fold(String::new(), |mut filled, piece| {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Outside(inner) => filled.push_str(&value(Reference::parse(inner))),
            }
            filled
        })
    }

    pub fn push_str(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if let Some(Piece::Text(last)) = self.pieces.last_mut() {
            last.push_str(text);
        } else {
            self.pieces.push(Piece::Text(text.to_owned()));
        }
    }

    pub fn push(&mut self, piece: &Piece) {
        match piece {
            Piece::Text(text) => self.push_str(text),
            Piece::Outside(_) => self.pieces.push(piece.clone()),
        }
    }
}

/// A text with its macros resolved, and the names that are none: they stay in the text as they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expanded {
    pub template: Template,
    pub unknown: Vec<String>,
}

/// Gives the value of a macro that the configuration knows; none: this one has no value here.
pub type Lookup<'a> = dyn FnMut(Reference<'_>) -> Option<String> + 'a;

/// Puts in what the configuration knows. A macro without a value here becomes empty when its value stands in the
/// configuration, and stays for later when it comes from outside or names another object.
pub fn expand(text: &str, lookup: &mut Lookup<'_>) -> Expanded {
    expand_with(text, &[], lookup)
}

/// The same for a command called with arguments: the arguments are expanded first and then put in for `$ARGn$`.
pub fn expand_call(command_line: &str, args: &[impl AsRef<str>], lookup: &mut Lookup<'_>) -> Expanded {
    let args: Vec<Expanded> = args.iter().map(|arg| expand(arg.as_ref(), lookup)).collect();
    let mut expanded = expand_with(command_line, &args, lookup);
    expanded.unknown.extend(args.into_iter().flat_map(|arg| arg.unknown));
    expanded
}

fn expand_with(text: &str, args: &[Expanded], lookup: &mut Lookup<'_>) -> Expanded {
    let mut expanded = Expanded::default();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.template.push_str(before);
        let (inner, is_closed) = match after.split_once('$') {
            Some((inner, following)) => {
                rest = following;
                (inner, true)
            }
            None => {
                rest = "";
                (after, false)
            }
        };
        if inner.is_empty() && is_closed {
            expanded.template.push_str("$");
        } else if is_name(Reference::parse(inner).name) {
            put(inner, is_closed, args, lookup, &mut expanded);
        } else {
            // No macro: the dollar stands for itself, and the next one may open a macro.
            expanded.template.push_str("$");
            rest = after;
        }
    }
    expanded.template.push_str(rest);
    expanded
}

fn put(inner: &str, is_closed: bool, args: &[Expanded], lookup: &mut Lookup<'_>, expanded: &mut Expanded) {
    let reference = Reference::parse(inner);
    if let Some(number) = argument_number(reference.name)
        && let Some(arg) = number.checked_sub(1).and_then(|index| args.get(index))
    {
        arg.template.pieces.iter().for_each(|piece| expanded.template.push(piece));
        return;
    }
    if let Some(value) = lookup(reference) {
        expanded.template.push_str(&value);
        return;
    }
    match classify(reference.name) {
        Some((_, Known::AtLoad)) if reference.subject.is_none() => {}
        Some(_) => expanded.template.pieces.push(Piece::Outside(inner.into())),
        None => {
            let end = if is_closed { "$" } else { "" };
            expanded.template.push_str(&format!("${inner}{end}"));
            // `$HOME` or `$(date)` for a shell is no misspelt macro.
            if is_closed {
                expanded.unknown.push(reference.name.to_owned());
            }
        }
    }
}

/// Custom variables may hold anything that is upper case in Nagios' eyes: letters, digits, `_`, `-`, `.`.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.chars().all(|c| c.is_alphanumeric() && !c.is_lowercase() || matches!(c, '_' | '-' | '.'))
}

/// A call as Nagios writes it, `check_foo!20%!10%`: the command's name and its arguments. `\!` is a `!`.
pub fn call(text: &str) -> (Cow<'_, str>, Vec<String>) {
    if !text.contains("\\!") {
        let mut parts = text.split('!');
        let name = parts.next().unwrap_or("");
        return (Cow::Borrowed(name), parts.map(str::to_owned).collect());
    }
    let mut parts = vec![String::new()];
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let is_escape = c == '\\' && chars.peek() == Some(&'!');
        if c == '!' {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(if is_escape { '!' } else { c });
        }
        if is_escape {
            chars.next();
        }
    }
    let name = parts.remove(0);
    (Cow::Owned(name), parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lookup(reference: Reference<'_>) -> Option<String> {
        let value = match (reference.name, reference.subject) {
            ("HOSTADDRESS", None) => "192.0.2.7",
            ("HOSTADDRESS", Some("web2")) => "192.0.2.8",
            ("USER1", None) => "/usr/lib/nagios/plugins",
            ("_HOSTSNMP", None) => "pub$HOSTADDRESS$lic",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn shown(expanded: &Expanded) -> String {
        let mut text = String::new();
        for piece in expanded.template.pieces() {
            match piece {
                Piece::Text(part) => text.push_str(part),
                Piece::Outside(inner) => text.push_str(&format!("<{inner}>")),
            }
        }
        text
    }

    #[test]
    fn macros_are_replaced_as_the_table_says() {
        let cases = [
            ("$USER1$/check_ping -H $HOSTADDRESS$", "/usr/lib/nagios/plugins/check_ping -H 192.0.2.7"),
            ("100$$ and $$HOSTNAME$$", "100$ and $HOSTNAME$"),
            // A value is not read again.
            ("-C $_HOSTSNMP$", "-C pub$HOSTADDRESS$lic"),
            ("$HOSTALIAS$|$_SERVICENONE$|$SERVICEDESC$", "||"),
            ("$SERVICEOUTPUT$ $HOSTSTATEID:web1$", "<SERVICEOUTPUT> <HOSTSTATEID:web1>"),
            ("$HOSTADDRESS:web2$ $HOSTALIAS:web2$", "192.0.2.8 <HOSTALIAS:web2>"),
            ("$SERVICESTATE:db 9:MY SQL$", "<SERVICESTATE:db 9:MY SQL>"),
            ("$NOSUCH$ $hostaddress$ $ $5 $(date)", "$NOSUCH$ $hostaddress$ $ $5 $(date)"),
            ("awk '{print $1}' $HOSTADDRESS$", "awk '{print $1}' 192.0.2.7"),
            ("the end $HOSTADDRESS", "the end 192.0.2.7"),
            ("$ARG1$$ARG33$", "$ARG33$"),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(&expand(text, &mut lookup)), expected, "{text}");
        }
    }

    #[test]
    fn arguments_are_expanded_before_they_are_put_in() {
        let args = ["$HOSTADDRESS$!", "$_HOSTSNMP$", "$SERVICESTATE$", "$ARG1$"];
        let expanded = expand_call("$ARG1$ $ARG2$ $ARG3$ $ARG4$ $ARG5$.", &args, &mut lookup);
        assert_eq!(shown(&expanded), "192.0.2.7! pub$HOSTADDRESS$lic <SERVICESTATE>  .");
    }

    #[test]
    fn unknown_names_are_reported() {
        let expanded = expand_call("$NOSUCH$ $HOSTADDRESS$", &["$HOSTADRESS$"], &mut lookup);
        assert_eq!(expanded.unknown, ["NOSUCH", "HOSTADRESS"]);
    }

    #[test]
    fn values_from_outside_are_not_read_for_macros() {
        let expanded = expand("it said: $SERVICEOUTPUT$", &mut lookup);
        assert_eq!(expanded.template.as_text(), None);
        let filled = expanded.template.fill(|_| "$USER1$ '; rm -rf /".to_owned());
        assert_eq!(filled, "it said: $USER1$ '; rm -rf /");
    }

    #[test]
    fn names_are_classified() {
        assert_eq!(classify("ARG32"), Some((Of::Command, Known::AtLoad)));
        assert_eq!(classify("USER256"), Some((Of::Command, Known::AtLoad)));
        assert_eq!(classify("CONTACTADDRESS6"), Some((Of::Contact, Known::AtRun)));
        assert_eq!(classify("_HOSTSNMP"), Some((Of::Host, Known::AtLoad)));
        assert_eq!(classify("_CONTACTPHONE"), Some((Of::Contact, Known::AtRun)));
        assert_eq!(classify("NOTIFICATIONCOMMENT"), Some((Of::Notification, Known::AtRun)));
        for name in ["ARG0", "ARG33", "ARG01", "USER257", "CONTACTADDRESS7", "_HOST", "HOSTFOO", ""] {
            assert_eq!(classify(name), None, "{name}");
        }
    }

    #[test]
    fn no_macro_stands_in_the_table_twice() {
        let mut names: Vec<_> = FAMILIES.iter().flat_map(|family| family.names).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn a_call_is_divided_at_its_exclamation_marks() {
        let cases: &[(&str, &str, &[&str])] = &[
            ("check_foo", "check_foo", &[]),
            ("check_foo!20%!10%", "check_foo", &["20%", "10%"]),
            ("check_foo!!x!", "check_foo", &["", "x", ""]),
            ("check_foo!a\\!b!\\d+", "check_foo", &["a!b", "\\d+"]),
        ];
        for (text, name, args) in cases {
            let (seen, seen_args) = call(text);
            assert_eq!(&*seen, *name, "{text}");
            assert_eq!(seen_args, *args, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_text_without_dollars_stays_as_it_is(text in "[^$]{0,40}") {
            let expanded = expand(&text, &mut lookup);
            prop_assert_eq!(expanded.template.as_text(), Some(text.as_str()));
        }

        #[test]
        fn no_text_makes_the_expander_fall(text in "[$A-Z:a! ]{0,40}") {
            let expanded = expand_call(&text, &["$ARG1$", &text], &mut |_| None);
            let filled = expanded.template.fill(|_| String::new());
            prop_assert!(filled.len() <= text.len() * (text.len() + 2));
        }
    }
}
