using System.Buffers;
using Newtonsoft.Json;

namespace LatentBridge.Sessions.Control;

/// <summary>Lends the JSON reader and writer their buffers.</summary>
sealed class CharacterPool : IArrayPool<char>
{
    public static CharacterPool Instance { get; } = new();

    public char[] Rent(int minimumLength) => ArrayPool<char>.Shared.Rent(minimumLength);

    public void Return(char[]? array)
    {
        if (array is not null)
        {
            ArrayPool<char>.Shared.Return(array);
        }
    }
}
