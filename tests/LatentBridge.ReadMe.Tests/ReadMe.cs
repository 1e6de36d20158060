using System.Text.RegularExpressions;

namespace LatentBridge.ReadMe.Tests;

/// <summary>The README and what is around it.</summary>
static partial class ReadMe
{
    /// <summary>The repository's root.</summary>
    internal static string Root { get; } = FindRoot();

    /// <summary>The README's text.</summary>
    internal static string Text { get; } = File.ReadAllText(Path.Combine(Root, "README.md")).ReplaceLineEndings("\n");

    /// <summary>The code of the snippet of that name.</summary>
    internal static string Snippet(string name)
    {
        Match found = Regex.Match(Text, $"<!-- snippet: {name} -->\n```[a-z]+\n(.*?)```\n", RegexOptions.Singleline);
        Assert.True(found.Success, $"README.md has no snippet named {name}.");
        return found.Groups[1].Value;
    }

    /// <summary>The targets of the links and pictures of a Markdown file, those on the web left out.</summary>
    internal static IEnumerable<string> Links(string markdown) =>
        LinkPattern().Matches(markdown).Select(link => link.Groups[1].Value).Where(link => !link.StartsWith("http", StringComparison.Ordinal));

    [GeneratedRegex(@"\]\(([^)#\s]+)(?:#[^)]*)?\)")]
    private static partial Regex LinkPattern();

    static string FindRoot()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "LatentBridge.sln")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder ?? throw new InvalidOperationException($"LatentBridge.sln is in no folder above {AppContext.BaseDirectory}.");
    }
}
