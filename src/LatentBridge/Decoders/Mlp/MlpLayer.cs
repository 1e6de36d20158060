namespace LatentBridge.Decoders.Mlp;

/// <summary>One linear layer, packed as its kernel reads it: for every four outputs their biases, then their weights of each input.</summary>
sealed class MlpLayer
{
    /// <summary>Outputs that lie together.</summary>
    public const int Group = 4;

    /// <summary>Packs weights [outputs, inputs] and biases, both times a scale, an offset added; the last group is filled up with zeros.</summary>
    public MlpLayer(float[] weights, float[] biases, float scale, float offset)
    {
        Outputs = biases.Length;
        Inputs = weights.Length / biases.Length;
        Packed = new float[(Outputs + Group - 1) / Group * Group * (Inputs + 1)];
        for (int o = 0; o < Outputs; o++)
        {
            Packed[Index(o, 0)] = biases[o] * scale + offset;
            for (int i = 0; i < Inputs; i++)
            {
                Packed[Index(o, i + 1)] = weights[o * Inputs + i] * scale;
            }
        }
    }

    public int Inputs { get; }

    public int Outputs { get; }

    public float[] Packed { get; }

    int Index(int output, int column) => (output / Group * (Inputs + 1) + column) * Group + output % Group;
}
