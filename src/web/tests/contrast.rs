//! Contrast of the tokens, computed from the style itself.

const STYLE: &str = include_str!("../static/style.css");

/// OKLCH to linear sRGB, as CSS Color 4 defines it; out of gamut is clipped.
fn luminance(oklch: &str) -> f64 {
    let inner = oklch.trim().strip_prefix("oklch(").unwrap().split(')').next().unwrap();
    let parts: Vec<f64> = inner.split_whitespace().take(3).map(|part| part.parse().unwrap()).collect();
    let (l, c, h) = (parts[0], parts[1], parts[2].to_radians());
    let (a, b) = (c * h.cos(), c * h.sin());
    let l_ = (l + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let m_ = (l - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let s_ = (l - 0.089_484_177_5 * a - 1.291_485_548 * b).powi(3);
    let r = 4.076_741_662_1 * l_ - 3.307_711_591_3 * m_ + 0.230_969_929_2 * s_;
    let g = -1.268_438_004_6 * l_ + 2.609_757_401_1 * m_ - 0.341_319_396_5 * s_;
    let b = -0.004_196_086_3 * l_ - 0.703_418_614_7 * m_ + 1.707_614_701 * s_;
    let clip = |x: f64| x.clamp(0.0, 1.0);
    0.2126 * clip(r) + 0.7152 * clip(g) + 0.0722 * clip(b)
}

fn token(name: &str, is_dark: bool) -> f64 {
    let value = STYLE.split(&format!("--{name}: ")).nth(1).unwrap().split(';').next().unwrap();
    let Some(both) = value.strip_prefix("light-dark(") else { return luminance(value) };
    let colours: Vec<&str> = both.split("oklch(").skip(1).collect();
    luminance(&format!("oklch({}", colours[usize::from(is_dark)]))
}

fn ratio(one: f64, two: f64) -> f64 {
    (one.max(two) + 0.05) / (one.min(two) + 0.05)
}

#[test]
fn text_reads_and_marks_stand_out_on_light_and_dark() {
    for is_dark in [false, true] {
        for ground in ["ground", "paper", "raised", "wash"] {
            let ground_light = token(ground, is_dark);
            let texts = [
                "ink",
                "soft-ink",
                "accent",
                "ok-text",
                "warning-text",
                "critical-text",
                "unknown-text",
                "unreachable-text",
                "pending-text",
            ];
            for text in texts {
                let found = ratio(token(text, is_dark), ground_light);
                assert!(found >= 4.5, "{text} on {ground}, dark {is_dark}: {found:.2}");
            }
        }
        for ground in ["ground", "paper"] {
            for mark in ["ok", "warning", "critical", "unknown", "unreachable", "pending", "edge"] {
                let found = ratio(token(mark, is_dark), token(ground, is_dark));
                assert!(found >= 3.0, "{mark} on {ground}, dark {is_dark}: {found:.2}");
            }
        }
        for text in ["rail-ink", "rail-soft"] {
            let found = ratio(token(text, is_dark), token("rail", is_dark));
            assert!(found >= 4.5, "{text} on the rail, dark {is_dark}: {found:.2}");
        }
    }
}
