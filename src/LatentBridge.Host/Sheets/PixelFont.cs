using System.Reflection;

namespace LatentBridge.Host.Sheets;

/// <summary>The letters of sheets: printable ASCII, drawn in <c>PixelFont.txt</c> as rows of sixteen letters, 5 by 8 dots each.</summary>
static class PixelFont
{
    /// <summary>Dots from the top of a letter to the lowest dot of a descender.</summary>
    internal const int Height = 8;

    const int CellWidth = 5;
    const int LettersPerRow = 16;
    const char FirstLetter = ' ';
    const int SpaceWidth = 3;

    static readonly string[] Rows = Load();

    /// <summary>Dots from left to right that a text takes.</summary>
    internal static int Measure(string text) => text.Sum(letter => Columns(letter).Length + 1) - (text.Length > 0 ? 1 : 0);

    /// <summary>Calls <paramref name="dot"/> for every dot of a text, x and y from its upper left corner.</summary>
    internal static void Draw(string text, Action<int, int> dot)
    {
        int left = 0;
        foreach (char letter in text)
        {
            (int first, int length) = Columns(letter);
            for (int y = 0; y < Height; y++)
            {
                for (int x = 0; x < length; x++)
                {
                    if (IsSet(letter, first + x, y))
                    {
                        dot(left + x, y);
                    }
                }
            }

            left += length + 1;
        }
    }

    // Letters take the columns they use; digits keep the whole cell, so that numbers stand under each other.
    static (int First, int Length) Columns(char letter)
    {
        if (letter == ' ')
        {
            return (0, SpaceWidth);
        }

        if (char.IsAsciiDigit(letter))
        {
            return (0, CellWidth);
        }

        int[] used = [.. Enumerable.Range(0, CellWidth).Where(x => Enumerable.Range(0, Height).Any(y => IsSet(letter, x, y)))];
        return (used[0], used[^1] - used[0] + 1);
    }

    static bool IsSet(char letter, int x, int y)
    {
        int index = letter is >= FirstLetter and <= '~' ? letter - FirstLetter : '?' - FirstLetter;
        return Rows[(index / LettersPerRow * Height) + y][(index % LettersPerRow * (CellWidth + 1)) + x] == '#';
    }

    static string[] Load()
    {
        using Stream drawing = Assembly.GetExecutingAssembly().GetManifestResourceStream("PixelFont.txt")!;
        using StreamReader reader = new(drawing);
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
    }
}
