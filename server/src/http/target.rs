//! What a path names.

use super::media::MediaPath;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target<'a> {
    /// `/v1/{app}/{method}`; the app is `-` for calls outside of any.
    Method {
        /// The app's name.
        app: &'a str,
        /// The method's name.
        method: &'a str,
    },
    /// `/media/APP/FOLDER/NAME`: an address that needs no headers.
    Media(MediaPath<'a>),
    /// `/healthz`.
    Health,
    /// `/readyz`.
    Ready,
    /// `/metrics`.
    Metrics,
    /// Nothing.
    Unknown,
}

/// The app in paths of calls that belong to none.
pub(super) const NO_APP: &str = "-";

impl<'a> Target<'a> {
    /// Reads a path. Names of apps and methods are plain ASCII, so percent-encoded ones name nothing.
    pub(super) fn of(path: &'a str) -> Target<'a> {
        if let Some(rest) = path.strip_prefix("/v1/") {
            return match rest.split_once('/') {
                Some((app, method)) if !app.is_empty() && !method.is_empty() && !method.contains('/') => {
                    Target::Method { app, method }
                }
                _ => Target::Unknown,
            };
        }
        if let Some(rest) = path.strip_prefix("/media/") {
            return MediaPath::of(rest).map_or(Target::Unknown, Target::Media);
        }
        match path {
            "/healthz" => Target::Health,
            "/readyz" => Target::Ready,
            "/metrics" => Target::Metrics,
            _ => Target::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_methods_and_probes_and_nothing_else() {
        assert_eq!(Target::of("/v1/demo/post.get"), Target::Method { app: "demo", method: "post.get" });
        assert_eq!(
            Target::of("/v1/-/system.getHealth"),
            Target::Method { app: "-", method: "system.getHealth" }
        );
        assert_eq!(Target::of("/readyz"), Target::Ready);
        for path in [
            "",
            "/",
            "*",
            "/v1",
            "/v1/",
            "/v1/demo",
            "/v1/demo/",
            "/v1//post.get",
            "/v1/a/b/c",
            "/v2/a/b",
            "/healthz/",
        ] {
            assert_eq!(Target::of(path), Target::Unknown, "{path}");
        }
    }
}
