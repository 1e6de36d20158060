using System.CommandLine;
using System.Globalization;
using LatentBridge.Previews;

namespace LatentBridge.Host.Commands;

/// <summary>Rows of <see cref="PreviewOptions.All"/> as options of a command: <c>--size</c>, <c>--scaling</c>, <c>--frame</c>, <c>--quality</c>.</summary>
sealed class PreviewOptionSet
{
    readonly (PreviewOption Row, Option<string?> Option)[] _options;
    readonly string? _also;

    /// <summary>Adds the options to the command.</summary>
    /// <param name="command">The command.</param>
    /// <param name="defaults">What holds for an option that is not given.</param>
    /// <param name="names">The rows' names.</param>
    internal PreviewOptionSet(Command command, PreviewOptions defaults, params string[] names)
        : this(command, defaults, names, also: null)
    {
    }

    /// <inheritdoc cref="PreviewOptionSet(Command, PreviewOptions, string[])"/>
    /// <param name="command">The command.</param>
    /// <param name="defaults">What holds for an option that is not given.</param>
    /// <param name="names">The rows' names.</param>
    /// <param name="also">A word that the options take beside their own, which the command itself obeys.</param>
    internal PreviewOptionSet(Command command, PreviewOptions defaults, IReadOnlyList<string> names, string? also)
    {
        _also = also;
        _options = [.. names.Select(name => PreviewOptions.All.First(row => row.Name == name)).Select(row => (row, Make(row, defaults)))];
        foreach ((_, Option<string?> option) in _options)
        {
            command.Add(option);
        }
    }

    /// <summary>The options with what the command line says.</summary>
    internal PreviewOptions Apply(ParseResult parsed, PreviewOptions options) =>
        _options.Where(pair => parsed.GetValue(pair.Option) != _also).Aggregate(options, (sum, pair) => pair.Row.With(sum, ValueOf(pair.Row, parsed.GetValue(pair.Option)!)));

    /// <summary>Whether one of the options has the word that they take beside their own.</summary>
    internal bool HasAlso(ParseResult parsed) => _also is not null && Array.Exists(_options, pair => parsed.GetValue(pair.Option) == _also);

    Option<string?> Make(PreviewOption row, PreviewOptions defaults)
    {
        Option<string?> option = new($"--{row.Name}")
        {
            Description = $"{row.Help}.",
            HelpName = string.Join('|', [.. row.Words, .. _also is null ? (string[])[] : [_also], .. row.Range is null ? (string[])[] : ["N"]]),
            DefaultValueFactory = _ => string.Create(CultureInfo.InvariantCulture, $"{row.Of(defaults)}"),
        };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && result.Tokens[0].Value != _also && !row.Takes(ValueOf(row, result.Tokens[0].Value)))
            {
                result.AddError($"{option.Name} {result.Tokens[0].Value}: expected {row.Expected}.");
            }
        });
        return option;
    }

    static object ValueOf(PreviewOption row, string text) =>
        row.Range is not null && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : text;
}
