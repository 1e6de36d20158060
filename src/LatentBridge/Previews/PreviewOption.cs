using System.Globalization;

namespace LatentBridge.Previews;

/// <summary>One preview option: its name on the control channel, what it takes, and one line of help.</summary>
/// <remarks>
/// <see cref="PreviewOptions.All"/> is the table. The control channel, its answers, the program's options and the shim's settings are made from it.
/// A value is an <see cref="int"/>, a <see cref="bool"/> or a <see cref="string"/>.
/// </remarks>
public sealed class PreviewOption
{
    readonly Func<PreviewOptions, object> _get;
    readonly Func<PreviewOptions, object, PreviewOptions> _set;

    PreviewOption(string name, string help, Func<PreviewOptions, object> get, Func<PreviewOptions, object, PreviewOptions> set)
    {
        Name = name;
        Help = help;
        _get = get;
        _set = set;
    }

    /// <summary>As the protocol spells it.</summary>
    public string Name { get; }

    /// <summary>What it is for, one line.</summary>
    public string Help { get; }

    /// <summary>The words that it takes; empty when it takes any text, or none.</summary>
    public IReadOnlyList<string> Words { get; private init; } = [];

    /// <summary>The numbers that it takes, both ends included; null when it takes none.</summary>
    public (int Minimum, int Maximum)? Range { get; private init; }

    /// <summary>It says which part of a latent is shown. The shim sends that part alone, so the option itself is not sent.</summary>
    public bool IsPartOfLatent { get; private init; }

    /// <summary>What holds when nobody says anything.</summary>
    public object Default => Of(PreviewOptions.Default);

    /// <summary>What it takes, as people read it.</summary>
    public string Expected => (Words.Count, Range) switch
    {
        (0, { } range) => $"an integer from {range.Minimum} to {range.Maximum}",
        ( > 0, { } range) => $"one of {string.Join(", ", Words)} or an integer from {range.Minimum} to {range.Maximum}",
        ( > 0, null) => $"one of {string.Join(", ", Words)}",
        _ => Default is bool ? "true or false" : "a string",
    };

    /// <summary>The value that some options have.</summary>
    public object Of(PreviewOptions options) => _get(options);

    /// <summary>Whether it takes this value.</summary>
    public bool Takes(object? value) => value switch
    {
        int number => Range is { } range && number >= range.Minimum && number <= range.Maximum,
        string text => Words.Count > 0 ? Words.Contains(text) : Range is null && Default is string && text.Length > 0,
        bool => Default is bool,
        _ => false,
    };

    /// <summary>The options with another value.</summary>
    /// <exception cref="ArgumentException">It does not take the value; the message says what it takes.</exception>
    public PreviewOptions With(PreviewOptions options, object value) => Takes(value)
        ? _set(options, value)
        : throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"\"{Name}\" is {value}, expected {Expected}."), nameof(value));

    internal static PreviewOption Number(string name, string help, int minimum, int maximum, Func<PreviewOptions, int> get, Func<PreviewOptions, int, PreviewOptions> set) =>
        new(name, help, o => get(o), (o, value) => set(o, (int)value)) { Range = (minimum, maximum) };

    internal static PreviewOption Text(string name, string help, Func<PreviewOptions, string> get, Func<PreviewOptions, string, PreviewOptions> set) =>
        new(name, help, get, (o, value) => set(o, (string)value));

    internal static PreviewOption Truth(string name, string help, Func<PreviewOptions, bool> get, Func<PreviewOptions, bool, PreviewOptions> set) =>
        new(name, help, o => get(o), (o, value) => set(o, (bool)value));

    /// <summary>The words are the names of the enumeration's values in lower case.</summary>
    internal static PreviewOption Word<T>(string name, string help, Func<PreviewOptions, T> get, Func<PreviewOptions, T, PreviewOptions> set)
        where T : struct, Enum
    {
        string[] words = [.. Enum.GetNames<T>().Select(word => word.ToLowerInvariant())];
        T[] values = Enum.GetValues<T>();
        return new(name, help, o => words[values.IndexOf(get(o))], (o, value) => set(o, values[words.IndexOf((string)value)])) { Words = words };
    }

    internal static PreviewOption FrameOfVideo(string name, string help, Func<PreviewOptions, FrameChoice> get, Func<PreviewOptions, FrameChoice, PreviewOptions> set) =>
        new(
            name, help,
            o => int.TryParse(get(o).ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out int index) ? index : get(o).ToString(),
            (o, value) => set(o, value is int index ? FrameChoice.At(index) : FrameChoice.TryParse((string)value, out FrameChoice frame) ? frame : default))
        {
            Words = ["auto", "first", "middle", "last"],
            Range = (0, MaximumIndex),
        };

    internal PreviewOption OfLatent() => new(Name, Help, _get, _set) { Words = Words, Range = Range, IsPartOfLatent = true };

    internal const int MaximumIndex = (1 << 20) - 1;
}
