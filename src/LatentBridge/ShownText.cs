namespace LatentBridge;

/// <summary>Text from files and file names, made fit to be shown: on a terminal, in a log, in a page.</summary>
static class ShownText
{
    const int ShortLength = 80;

    /// <summary>Replaces what would steer a terminal or turn the direction of the text by question marks; line breaks and tabs stay.</summary>
    public static string Clean(string text) => Clean(text, static c => c is '\n' or '\t' or '\r');

    /// <summary>The same for a quotation: at most 80 characters, and in one line.</summary>
    public static string Shorten(string text) => Clean(text.Length <= ShortLength ? text : $"{text[..ShortLength]}...", static _ => false);

    static string Clean(string text, Func<char, bool> stays)
    {
        if (!text.AsSpan().ContainsAnyExceptInRange(' ', '~'))
        {
            return text;
        }

        return string.Create(text.Length, (text, stays), static (shown, from) =>
        {
            for (int i = 0; i < shown.Length; i++)
            {
                char c = from.text[i];
                shown[i] = Steers(c) && !from.stays(c) ? '?' : c;
            }
        });
    }

    // C0 and C1 controls, and the marks that turn the direction of text.
    static bool Steers(char c) => char.IsControl(c) || c is '\u200E' or '\u200F' or '\u061C' or (>= '\u2028' and <= '\u202E') or (>= '\u2066' and <= '\u2069');
}
