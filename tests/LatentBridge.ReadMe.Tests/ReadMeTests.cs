using System.Text.RegularExpressions;
using LatentBridge.Formats;

namespace LatentBridge.ReadMe.Tests;

/// <summary>The documents name what exists.</summary>
public sealed class ReadMeTests
{
    static readonly string[] Folders = ["docs", "benchmarks", "examples", "example_workflows", "models"];

    public static TheoryData<string> Documents =>
        [.. Directory.GetFiles(ReadMe.Root, "*.md")
            .Concat(Folders.SelectMany(folder => Directory.GetFiles(Path.Combine(ReadMe.Root, folder), "*.md", SearchOption.AllDirectories)))
            .Select(file => Path.GetRelativePath(ReadMe.Root, file))];

    [Theory]
    [MemberData(nameof(Documents))]
    public void Every_link_within_the_repository_leads_somewhere(string document)
    {
        string path = Path.Combine(ReadMe.Root, document);
        Assert.All(ReadMe.Links(File.ReadAllText(path)), link => Assert.True(Path.Exists(Path.Combine(Path.GetDirectoryName(path)!, link)), $"{document} links to {link}"));
    }

    [Fact]
    public void Files_and_folders_that_the_readme_names_exist()
    {
        string[] named = [.. Regex.Matches(ReadMe.Text, @"`((?:src|docs|models|examples|tests|benchmarks|python)/[\w./-]+)`").Select(match => match.Groups[1].Value)];
        Assert.NotEmpty(named);
        Assert.All(named, path => Assert.True(Path.Exists(Path.Combine(ReadMe.Root, path)), path));
    }

    [Fact]
    public void The_number_of_formats_is_that_of_the_catalogue()
    {
        Assert.Contains($"**{LatentFormats.Ids.Count} latent formats**", ReadMe.Text);
        int colourless = LatentFormats.All.Count(format => format.Rgb is null);
        Assert.Contains($"{colourless} of the {LatentFormats.Ids.Count} formats", ReadMe.Text);
    }
}
